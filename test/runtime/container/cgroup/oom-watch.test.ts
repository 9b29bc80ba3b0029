import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { OomWatch } from "../../../../runtime/container/cgroup/oom-watch.ts";

test("a kill is told once, and what is not watched any more is not asked", () => {
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    const watch = new OomWatch();
    const first = { kills: 0, asked: 0, oomKills: () => (first.asked++, first.kills) };
    const second = { oomKills: () => 0 };
    let told = 0;
    watch.add(first, () => void told++);
    watch.add(second, () => assert.fail("nothing happened to it"));
    mock.timers.tick(1000);
    assert.ok(first.asked > 0);
    assert.equal(told, 0);
    first.kills = 2;
    mock.timers.tick(1000);
    assert.equal(told, 1);
    const { asked } = first;
    watch.delete(second);
    mock.timers.tick(1000);
    assert.deepEqual([first.asked, told], [asked, 1]);
  } finally {
    mock.timers.reset();
  }
});
