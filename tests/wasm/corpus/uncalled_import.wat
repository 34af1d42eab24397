;; module
;; Imports what nobody has and never calls it; and one that is not of the type it has.
(module
  (import "env" "system" (func $system (param i32) (result i64)))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i64)))
  (func (export "_start") (if (i32.const 0) (then (drop (call $system (i32.const 0)))))))
