;; env: LANG=C
;; env: EMPTY=
;; Writes its environment and nothing of the home's.
(func (export "_start")
  (call $show (call $environ_sizes_get (i32.const 0) (i32.const 4)))
  (call $show (i32.load (i32.const 0)))
  (call $show (call $environ_get (i32.const 100) (i32.const 1000)))
  (call $print (i32.const 1000) (i32.load (i32.const 4))))
