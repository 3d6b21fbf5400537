// Streamed answers: what has come and not been let go.

import { StreamOutcome } from "./outcome.js";

const key = ({ choice, part }) => `${choice}/${part}`;

export class Held {
  #deltas = [];

  add(batch) {
    this.#deltas.push(...batch);
  }

  texts() {
    const held = new Map();
    for (const delta of this.#deltas) {
      const known = held.get(key(delta));
      if (delta.piece.tag === "text") {
        if (known) known.text += delta.piece.val;
        else held.set(key(delta), { choice: delta.choice, part: delta.part, text: delta.piece.val, ended: false });
      } else if (delta.piece.tag === "end" && known) {
        known.ended = true;
      }
    }
    return [...held.values()];
  }

  rewrite(rewrite) {
    const old = this.texts();
    const fresh = new Map(old.map((held) => [key(held), rewrite(held.text)]));
    const deltas = this.#deltas;
    this.#deltas = [];
    if (old.every((held) => held.text === fresh.get(key(held)))) return StreamOutcome.pass();
    const put = [];
    for (const delta of deltas) {
      if (delta.piece.tag !== "text") {
        put.push(delta);
      } else if (fresh.has(key(delta))) {
        put.push({ ...delta, piece: { tag: "text", val: fresh.get(key(delta)) } });
        fresh.delete(key(delta));
      }
    }
    return StreamOutcome.replace(put);
  }

  letGo() {
    this.#deltas = [];
    return StreamOutcome.pass();
  }
}
