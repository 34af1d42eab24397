;; trap: unreachable
(func (export "_start") (call $number (i64.const 1)) unreachable)
