;; writes
;; limit: written_bytes 10
;; Writes more than there is room for: the program is told, and goes on.
(data (i32.const 0) "f")
(func (export "_start")
  (local $fd i32)
  (local.set $fd (call $open (i32.const 0) (i32.const 1) (i32.const 1) (i64.const 66)))
  (i32.store (i32.const 300) (i32.const 400))
  (i32.store (i32.const 304) (i32.const 8))
  (call $show (call $fd_write (local.get $fd) (i32.const 300) (i32.const 1) (i32.const 308)))
  (call $show (call $fd_write (local.get $fd) (i32.const 300) (i32.const 1) (i32.const 308))))
