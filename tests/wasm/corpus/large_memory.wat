;; module
;; trap: memory
;; Declares more than it may have: it does not start.
(module (memory (export "memory") 60000) (func (export "_start")))
