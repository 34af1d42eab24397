;; limit: output_bytes 100
;; trap: output
(data (i32.const 0) "more and more of the same\n")
(func (export "_start") (loop $on (call $print (i32.const 0) (i32.const 26)) (br $on)))
