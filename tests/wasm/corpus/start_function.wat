;; A start function runs before the program does.
(global $ready (mut i32) (i32.const 0))
(func $begin (global.set $ready (i32.const 41)))
(start $begin)
(func (export "_start") (call $show (i32.add (global.get $ready) (i32.const 1))))
