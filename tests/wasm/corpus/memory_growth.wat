;; limit: memory_bytes 1048576
;; trap: memory
;; Grows page by page and says how far it came.
(func (export "_start")
  (loop $more
    (call $show (memory.grow (i32.const 1)))
    (br $more)))
