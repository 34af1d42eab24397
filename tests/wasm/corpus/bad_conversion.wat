;; trap: bad_conversion
(func $nan (result f64) (f64.const nan))
(func (export "_start") (call $show (i32.trunc_f64_s (call $nan))))
