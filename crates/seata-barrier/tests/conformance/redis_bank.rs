//! The participant on Redis: its work is one script.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::{ClientLike, LuaInterface};
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, Value};
use seata_barrier::redis::{Delivered, RedisBarrier, Work, WorkScript};
use seata_barrier::{Call, Operation, Skip};

use crate::bank::{
    ACCOUNTS, Answer, BALANCE, Bank, Ending, Isolation, Ledger, Order, call, causes, server,
    unique_name,
};

/// Checks first, then writes: Redis does not undo what a script did before it failed.
const WORK: &str = "
local places = {'balance', 'reserved', 'spent'}
for i, place in ipairs(places) do
  if tonumber(redis.call('HGET', KEYS[1], place)) + ARGV[i] < 0 then
    return {err = 'overdrawn'}
  end
end
for i, place in ipairs(places) do redis.call('HINCRBY', KEYS[1], place, ARGV[i]) end
return 'moved' -- the last line of a script may be a remark";

const KEEP_MS: i64 = 3_600_000;

pub(crate) struct RedisBank {
    client: Client,
    barrier: RedisBarrier,
    script: WorkScript,
    url: String,
    /// Stands before the names of the accounts, and is the tag of this test.
    name: String,
}

impl RedisBank {
    fn account(&self, account: i64) -> String {
        format!("{{{}}}:account:{account}", self.name)
    }

    async fn eval(&self, lua: &'static str, key: String, arguments: Vec<i64>) -> Vec<i64> {
        self.client.eval(lua, key, arguments).await.unwrap()
    }
}

impl Bank for RedisBank {
    async fn open(isolation: Isolation) -> Option<Self> {
        let url = server("SEATA_TEST_REDIS_URL")?;
        let bank = Self::attach(&format!("{url}\n{}", unique_name()), isolation).await;
        for account in 1..=ACCOUNTS {
            let lua = "redis.call('HSET', KEYS[1], 'balance', ARGV[1], 'reserved', 0, 'spent', 0) return {}";
            bank.eval(lua, bank.account(account), vec![BALANCE]).await;
        }
        Some(bank)
    }

    async fn attach(address: &str, _isolation: Isolation) -> Self {
        let (url, name) = address.split_once('\n').unwrap();
        let client = Builder::from_config(Config::from_url(url).unwrap())
            .set_policy(ReconnectPolicy::new_constant(3, 10))
            .build()
            .unwrap();
        client.init().await.unwrap();
        Self {
            barrier: RedisBarrier::new(client.clone(), Duration::from_millis(KEEP_MS as u64)),
            client,
            script: WorkScript::new(WORK),
            url: url.to_owned(),
            name: name.to_owned(),
        }
    }

    fn address(&self) -> String {
        format!("{}\n{}", self.url, self.name)
    }

    async fn close(&self) {
        let lua = "for _, key in ipairs(redis.call('KEYS', '*{' .. KEYS[1] .. '}*')) do redis.call('DEL', key) end return {}";
        self.eval(lua, self.name.clone(), Vec::new()).await;
        self.client.quit().await.unwrap();
    }

    async fn deliver(&self, call: &Call, order: Order) -> Answer {
        assert_eq!(
            order.ending,
            Ending::Commit,
            "a script can't be left in the middle"
        );
        let change = Ledger::change(call.operation, order.amount);
        let work = Work {
            script: &self.script,
            tag: Some(&self.name),
            keys: vec![self.account(order.account)],
            arguments: [change.balance, change.reserved, change.spent]
                .map(|by| by.to_string())
                .to_vec(),
        };
        match self.barrier.run(call, work).await {
            Ok(Delivered::Done(value)) => {
                assert_eq!(value.into_string().as_deref(), Some("moved"));
                Answer::Done
            }
            Ok(Delivered::Refused(why)) => {
                assert_eq!(why, "overdrawn");
                Answer::Refused
            }
            Ok(Delivered::Skipped(skip)) => Answer::Skipped(skip),
            Err(error) => Answer::Unknown(error),
        }
    }

    /// There is no middle: it tells, and then delivers again and again.
    async fn deliver_and_hang(&self, call: &Call, order: Order, tell: fn()) {
        tell();
        loop {
            self.deliver(call, order).await;
        }
    }

    async fn ledger(&self, account: i64) -> Ledger {
        let lua = "local held = redis.call('HMGET', KEYS[1], 'balance', 'reserved', 'spent')
            for i = 1, 3 do held[i] = tonumber(held[i]) end return held";
        let held = self.eval(lua, self.account(account), Vec::new()).await;
        let [balance, reserved, spent] = held[..] else {
            panic!("the account has lost a place: {held:?}");
        };
        Ledger {
            balance,
            reserved,
            spent,
        }
    }

    fn may_be_busy(&self) -> bool {
        false
    }
}

/// Claims go by themselves, so each must bear an expiry.
pub(crate) async fn expiring(bank: &RedisBank) {
    for operation in [Operation::Action, Operation::Cancel] {
        let call = call("expiring", operation);
        bank.deliver(&call, Order::of(1, 10)).await;
        let key = format!("seata_barrier:{{{}}}:expiring/payment", bank.name);
        let left = bank
            .eval(
                "return {redis.call('PTTL', KEYS[1])}",
                key.clone(),
                Vec::new(),
            )
            .await;
        assert!(
            left.iter().all(|left| (1..=KEEP_MS).contains(left)),
            "{left:?}"
        );
        assert_eq!(left.len(), 1);
        // What the next operation must renew.
        bank.eval("redis.call('PERSIST', KEYS[1]) return {}", key, Vec::new())
            .await;
    }
}

/// Work that raises an error may be delivered again, and one that returns nothing is done.
pub(crate) async fn raising(bank: &RedisBank) {
    let deliver = async |lua: &str| {
        let script = WorkScript::new(lua);
        let work = Work {
            script: &script,
            tag: Some(&bank.name),
            keys: Vec::new(),
            arguments: vec!["7".to_owned()],
        };
        bank.barrier
            .run(&call("raising", Operation::Action), work)
            .await
    };
    let raised = deliver("error('broken')")
        .await
        .map_err(|error| causes(&error));
    assert!(
        raised
            .as_ref()
            .is_err_and(|causes| causes.contains("broken")),
        "{raised:?}"
    );
    assert_eq!(
        deliver("if ARGV[1] ~= '7' then error('lost') end")
            .await
            .unwrap(),
        Delivered::Done(Value::Null)
    );
    assert_eq!(
        deliver("error('never again')").await.unwrap(),
        Delivered::Skipped(Skip::Duplicate)
    );
}
