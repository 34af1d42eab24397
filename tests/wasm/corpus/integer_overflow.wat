;; trap: integer_overflow
(func $minus_one (result i32) (i32.const -1))
(func (export "_start") (call $show (i32.div_s (i32.const 0x80000000) (call $minus_one))))
