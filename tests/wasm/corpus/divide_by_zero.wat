;; trap: divide_by_zero
(func $zero (result i32) (i32.const 0))
(func (export "_start") (call $show (i32.div_s (i32.const 1) (call $zero))))
