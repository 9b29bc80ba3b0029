import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Lifecycle,
  type State,
  transitions,
  type Verb,
  verbs,
} from "../../../runtime/container/state.ts";

const ways: Record<State, State[]> = {
  created: [],
  running: ["running"],
  paused: ["running", "paused"],
  stopped: ["running", "stopped"],
  deleted: ["deleted"],
};
const states = Object.keys(ways) as State[];

/** Which verbs a state does; written out, so that a change of the table shows. */
const done: Record<State, Verb[]> = {
  created: ["create", "start", "exec in", "stat", "resize", "delete"],
  running: ["exec in", "start in", "signal", "pause", "stat", "checkpoint", "resize"],
  paused: ["resume", "stat", "checkpoint", "resize", "delete"],
  stopped: ["delete"],
  deleted: [],
};

for (const state of states) {
  for (const verb of Object.keys(verbs) as Verb[]) {
    const isDone = done[state].includes(verb);
    test(`${verb} of a ${state} process is ${isDone ? "done" : "refused"}`, () => {
      const life = at(state);
      if (isDone) {
        life.require(verb);
        return;
      }
      const code = state === "deleted" ? "not_found" : "failed_precondition";
      const message = `Cannot ${verb} container x: state is ${state}`;
      assert.throws(() => life.require(verb), { code, message });
      assert.equal(life.state, state);
    });
  }
}

const moves = [
  "created running",
  "created stopped",
  "created deleted",
  "running paused",
  "running stopped",
  "paused running",
  "paused stopped",
  "stopped deleted",
];
for (const from of states) {
  for (const to of states) {
    const exists = moves.includes(`${from} ${to}`);
    test(`a move from ${from} to ${to} ${exists ? "exists" : "is a bug and throws"}`, () => {
      const life = at(from);
      assert.equal(transitions[from].includes(to), exists);
      if (exists) life.to(to);
      else assert.throws(() => life.to(to), /Impossible move of container x/);
      assert.equal(life.state, exists ? to : from);
    });
  }
}

function at(state: State): Lifecycle {
  const life = new Lifecycle("container x");
  for (const step of ways[state]) life.to(step);
  return life;
}
