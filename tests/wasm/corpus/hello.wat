;; The least a tool does.
(data (i32.const 0) "hello\n")
(func (export "_start") (call $print (i32.const 0) (i32.const 6)))
