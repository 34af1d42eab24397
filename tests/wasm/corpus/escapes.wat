;; writes
;; file: inside/a = 1
;; Paths that lead out, and links that would: each is refused, and the program goes on.
(data (i32.const 0) "../etc/passwd/etc/passwdinside/../../x..a\00b../..")
(func (export "_start")
  (drop (call $open (i32.const 0) (i32.const 13) (i32.const 0) (i64.const 2)))
  (drop (call $open (i32.const 13) (i32.const 11) (i32.const 0) (i64.const 2)))
  (drop (call $open (i32.const 24) (i32.const 14) (i32.const 1) (i64.const 66)))
  (drop (call $open (i32.const 38) (i32.const 2) (i32.const 2) (i64.const 0)))
  (drop (call $open (i32.const 40) (i32.const 3) (i32.const 0) (i64.const 2)))
  (call $show (call $path_filestat_get (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 13) (i32.const 2000)))
  (call $show (call $path_unlink_file (i32.const 3) (i32.const 0) (i32.const 13)))
  (call $show (call $path_symlink (i32.const 13) (i32.const 11) (i32.const 3) (i32.const 42) (i32.const 1)))
  (call $show (call $path_symlink (i32.const 43) (i32.const 5) (i32.const 3) (i32.const 42) (i32.const 1)))
  (call $show (call $path_rename (i32.const 3) (i32.const 24) (i32.const 6) (i32.const 3) (i32.const 24) (i32.const 14))))
