// Sends the same few calls with one of the official Node SDKs: node send.cjs SDK HOST KEY
"use strict";
const [sdk, host, key] = process.argv.slice(2);

const said = [
  ["track", { userId: "u1", event: "Signed Up", properties: { plan: "pro" } }],
  ["identify", { userId: "u1", anonymousId: "a1", traits: { email: "a@x.test" } }],
  ["page", { userId: "u1", category: "Docs", name: "Home", properties: { url: "/" } }],
  ["group", { userId: "u1", groupId: "acme", traits: { seats: 9 } }],
  ["alias", { previousId: "old", userId: "u1" }],
  ["track", { userId: "u1", event: "Opened", context: { groupId: "acme" } }],
];

const senders = {
  async segment() {
    const { Analytics } = require("@segment/analytics-node");
    const client = new Analytics({ writeKey: key, host, flushAt: 3 });
    client.on("error", (error) => { throw error; });
    for (const [kind, call] of said) client[kind](call);
    await client.closeAndFlush();
  },
  async rudderstack() {
    const RudderAnalytics = require("@rudderstack/rudder-sdk-node");
    const Client = RudderAnalytics.default ?? RudderAnalytics;
    const client = new Client(key, { dataPlaneUrl: host, flushAt: 3, flushInterval: 50 });
    const each = said.map(([kind, call]) => new Promise((done, failed) =>
      client[kind](call, (error) => (error ? failed(error) : done()))));
    await Promise.all(each);
  },
  async posthog() {
    const { PostHog } = require("posthog-node");
    const client = new PostHog(key, { host, flushAt: 3 });
    client.capture({ distinctId: "u1", event: "Signed Up", properties: { plan: "pro" }, groups: { company: "acme" } });
    client.identify({ distinctId: "u1", properties: { $set: { email: "a@x.test" }, $anon_distinct_id: "a1" } });
    client.alias({ distinctId: "u1", alias: "old" });
    client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { seats: 9 } });
    await client.captureImmediate({ distinctId: "u1", event: "Opened" });
    const flags = await client.getAllFlags("u1");
    if (Object.keys(flags).length) throw new Error("there should be no flags");
    await client.shutdown();
  },
};

senders[sdk]().then(() => console.log("sent"), (error) => { console.error(error); process.exit(1); });
