;; limit: fuel 5000000
;; trap: fuel
;; Has the home fill its memory over and over: what is done for a program is on its bill.
(func (export "_start")
  (loop $on
    (drop (call $random_get (i32.const 0) (i32.const 65536)))
    (br $on)))
