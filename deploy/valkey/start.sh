#!/bin/sh
# Generated from redis/access.py by `python -m tests.deploy.redis_users --write`. Do not edit.
# Starts Valkey with one user per service. The passwords come by standard input: among the arguments they
# would show in the process list.
set -eu
for password in "$REDIS_JUDGING_PASSWORD" "$REDIS_SHADOW_PASSWORD" "$REDIS_BIAS_PASSWORD" "$REDIS_ROLLOUT_PASSWORD" "$REDIS_OPERATOR_PASSWORD"; do
  case $password in
    "" | *[!A-Za-z0-9_-]*)
      echo "a Redis password must consist of letters, digits, _ and -" >&2
      exit 2
      ;;
  esac
done
exec valkey-server - --appendonly yes --appendfsync everysec --maxmemory-policy noeviction "$@" <<END
user default off
user judgestream-judging on >$REDIS_JUDGING_PASSWORD ~judgestream:workers ~judgestream:workers:* ~judgestream:skip:* ~judgestream:spending:* ~judgestream:*:assigned:* %R~judgestream:triton:draining %R~judgestream:bias:doubted:* resetchannels -@all +del +discard +eval +evalsha +exists +get +hget +hincrby +hkeys +hmget +hset +info +multi +ping +sadd +script|load +select +set +smembers +srem +time
user judgestream-shadow on >$REDIS_SHADOW_PASSWORD ~judgestream:workers ~judgestream:workers:* ~judgestream:skip:* ~judgestream:spending:* ~judgestream:shadow:* %R~judgestream:triton:draining resetchannels -@all +del +discard +eval +evalsha +get +hget +hincrby +hkeys +hmget +hset +info +multi +ping +sadd +script|load +select +set +smembers +srem +time
user judgestream-bias on >$REDIS_BIAS_PASSWORD ~judgestream:workers ~judgestream:workers:* ~judgestream:skip:* ~judgestream:bias:* resetchannels -@all +del +discard +eval +evalsha +get +getset +hdel +hexists +hget +hgetall +hincrby +hkeys +hlen +hset +incr +info +multi +pexpire +ping +sadd +scan +script|load +select +set +smembers +srem +time +unlink
user judgestream-rollout on >$REDIS_ROLLOUT_PASSWORD ~judgestream:workers ~judgestream:workers:* ~judgestream:skip:* ~judgestream:rollout:* ~judgestream:triton:draining %R~judgestream:spending:* resetchannels -@all +del +discard +eval +exec +expire +get +hdel +hkeys +hmget +hsetnx +info +multi +ping +sadd +select +set +smembers +srem +time +zadd +zrangebyscore +zremrangebyscore
user judgestream-operator on >$REDIS_OPERATOR_PASSWORD ~judgestream:* resetchannels -@all +del +discard +eval +evalsha +exec +exists +expire +get +getset +hdel +hexists +hget +hgetall +hincrby +hkeys +hlen +hmget +hset +hsetnx +incr +info +multi +pexpire +ping +sadd +scan +script|load +select +set +smembers +srem +time +unlink +zadd +zrangebyscore +zremrangebyscore
END
