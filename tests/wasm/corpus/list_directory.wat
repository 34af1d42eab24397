;; file: b = 1
;; file: a/x = 2
;; file: c = 3
;; Reads the names in a directory, whole and then in pieces too small for one.
(data (i32.const 0) ".")
(func (export "_start")
  (call $show (call $fd_readdir (i32.const 3) (i32.const 1000) (i32.const 4000) (i64.const 0) (i32.const 900)))
  (call $show (i32.load (i32.const 900)))
  ;; The names: `.`, `..`, `a`, `b`, `c`, each after 24 bytes.
  (call $print (i32.const 1024) (i32.const 1))
  (call $print (i32.const 1049) (i32.const 2))
  (call $print (i32.const 1075) (i32.const 1))
  (call $print (i32.const 1100) (i32.const 1))
  (call $print (i32.const 1125) (i32.const 1))
  (call $show (i32.load8_u (i32.const 1071)))
  (call $show (call $fd_readdir (i32.const 3) (i32.const 1000) (i32.const 10) (i64.const 2) (i32.const 900)))
  (call $show (i32.load (i32.const 900)))
  (call $show (call $fd_readdir (i32.const 3) (i32.const 1000) (i32.const 100) (i64.const 5) (i32.const 900)))
  (call $show (i32.load (i32.const 900)))
  (call $show (call $fd_readdir (i32.const 1) (i32.const 1000) (i32.const 100) (i64.const 0) (i32.const 900))))
