;; trap: bad_signature
(type $none (func))
(table 1 funcref)
(elem (i32.const 0) $number)
(func (export "_start") (call_indirect (type $none) (i32.const 0)))
