;; A request without a host to send it to: refused, and the answer says why.
(data (i32.const 0) "{\22url\22:\22https://example.org/\22}")
(func (export "_start")
  (call $show (call $http (i32.const 0) (i32.const 30) (i32.const 100)))
  (call $show (i32.load (i32.const 100)))
  (call $show (call $http_read (i32.const 200) (i32.const 1000) (i32.const 104)))
  (call $print (i32.const 200) (i32.load (i32.const 104)))
  (call $show (call $http_read (i32.const 200) (i32.const 1000) (i32.const 104)))
  (call $show (i32.load (i32.const 104))))
