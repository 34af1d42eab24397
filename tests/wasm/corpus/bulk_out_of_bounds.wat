;; trap: bounds
(func (export "_start") (memory.fill (i32.const 65000) (i32.const 1) (i32.const 1000)))
