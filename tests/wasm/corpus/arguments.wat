;; args: tool --flag "two words" ünïcode
;; Writes its arguments, each with its zero.
(func (export "_start")
  (call $show (call $args_sizes_get (i32.const 0) (i32.const 4)))
  (call $show (i32.load (i32.const 0)))
  (call $show (i32.load (i32.const 4)))
  (call $show (call $args_get (i32.const 100) (i32.const 1000)))
  (call $print (i32.const 1000) (i32.load (i32.const 4))))
