-- Writes how the store is laid out, once and for good, and answers what is written.
-- KEYS: layout. ARGV: version, number of partitions, shard.

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'partitions', ARGV[2], 'shard', ARGV[3])
end
return redis.call('HGETALL', KEYS[1])
