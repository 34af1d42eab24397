;; limit: fuel 300000
;; trap: fuel
(func (export "_start") (loop $on (br $on)))
