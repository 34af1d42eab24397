;; trap: bounds
;; A segment outside of the memory: it does not start.
(data (i32.const 65535) "two")
(func (export "_start"))
