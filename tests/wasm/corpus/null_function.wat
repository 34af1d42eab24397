;; trap: null_function
(type $none (func))
(table 1 funcref)
(func (export "_start") (call_indirect (type $none) (i32.const 0)))
