;; Sieves the primes below 50,000 and counts them.
(func (export "_start")
  (local $i i32) (local $j i32) (local $count i32)
  (local.set $i (i32.const 2))
  (loop $next
    (if (i32.eqz (i32.load8_u (local.get $i)))
      (then
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $j (i32.mul (local.get $i) (local.get $i)))
        (if (i32.lt_u (local.get $i) (i32.const 224))
          (then (loop $strike
            (if (i32.lt_u (local.get $j) (i32.const 50000))
              (then
                (i32.store8 (local.get $j) (i32.const 1))
                (local.set $j (i32.add (local.get $j) (local.get $i)))
                (br $strike))))))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $next (i32.lt_u (local.get $i) (i32.const 50000))))
  (call $show (local.get $count)))
