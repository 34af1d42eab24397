;; Without the grant, random bytes are the same in every run and every home.
(func (export "_start")
  (call $show (call $random_get (i32.const 0) (i32.const 20)))
  (call $number (i64.load (i32.const 0)))
  (call $number (i64.load (i32.const 8)))
  (call $show (i32.load (i32.const 16))))
