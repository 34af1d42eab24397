;; trap: stack
(func $deeper (param i64) (result i64)
  (i64.add (i64.const 1) (call $deeper (i64.add (local.get 0) (i64.const 1)))))
(func (export "_start") (call $number (call $deeper (i64.const 0))))
