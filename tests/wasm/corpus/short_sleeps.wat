;; limit: wall_ms 50
;; trap: deadline
;; Sleeps for a millisecond, over and over: they add up.
(func (export "_start")
  (i32.store (i32.const 116) (i32.const 1))
  (i64.store (i32.const 124) (i64.const 1000000))
  (loop $on
    (drop (call $poll_oneoff (i32.const 100) (i32.const 200) (i32.const 1) (i32.const 300)))
    (br $on)))
