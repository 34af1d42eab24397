;; limit: table_elements 5000
;; trap: table
(table $t 1 funcref)
(func (export "_start")
  (loop $more
    (call $show (table.grow $t (ref.null func) (i32.const 1000)))
    (br $more)))
