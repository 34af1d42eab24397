;; module
;; trap: denied:env.system
;; Prints, and calls what nobody has.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "env" "system" (func $system (param i32) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 0) "before\n")
  (func (export "_start")
    (i32.store (i32.const 20) (i32.const 7))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))
    (drop (call $system (i32.const 0)))))
