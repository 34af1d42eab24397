;; file: a = 1
;; Changes in a directory that may only be read.
(data (i32.const 0) "ab")
(func (export "_start")
  (drop (call $open (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 66)))
  (drop (call $open (i32.const 0) (i32.const 1) (i32.const 8) (i64.const 2)))
  (drop (call $open (i32.const 1) (i32.const 1) (i32.const 1) (i64.const 2)))
  (call $show (call $path_unlink_file (i32.const 3) (i32.const 0) (i32.const 1)))
  (call $show (call $path_create_directory (i32.const 3) (i32.const 1) (i32.const 1)))
  (call $show (call $path_rename (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 3) (i32.const 1) (i32.const 1)))
  (drop (call $open (i32.const 0) (i32.const 1) (i32.const 0) (i64.const 2))))
