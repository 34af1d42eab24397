;; trap: integer_overflow
(func $large (result f64) (f64.const 1e20))
(func (export "_start") (call $show (i32.trunc_f64_s (call $large))))
