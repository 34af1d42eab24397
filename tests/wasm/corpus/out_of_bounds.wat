;; trap: bounds
(func $far (result i32) (i32.const 65533))
(func (export "_start") (call $show (i32.load (call $far))))
