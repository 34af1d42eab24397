;; stdin: {"text":"to and fro"}
;; Reads to the end in pieces of seven bytes and writes what it read.
(func (export "_start")
  (local $read i32)
  (loop $more
    (i32.store (i32.const 0) (i32.const 100))
    (i32.store (i32.const 4) (i32.const 7))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $read (i32.load (i32.const 8)))
    (call $print (i32.const 100) (local.get $read))
    (br_if $more (local.get $read))))
