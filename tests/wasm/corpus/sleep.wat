;; limit: wall_ms 2000
;; trap: deadline
;; Sleeps for an hour.
(func (export "_start")
  (call $number (i64.const 1))
  (i32.store (i32.const 116) (i32.const 1))
  (i64.store (i32.const 124) (i64.const 3600000000000))
  (call $show (call $poll_oneoff (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 300)))
  (call $number (i64.const 2)))
