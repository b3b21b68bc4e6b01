// What is known of a video: targets, and where they are in each frame.
import type { Box, State, Track } from "../src/index.js";
import found from "../generated/constants.json";

export interface Named {
  id: number;
  name: string;
  /** Whether a person gave the name. */
  named: boolean;
  color: string;
}

/** A track of one frame; `key` where a person drew it. */
export interface Row extends Track {
  key: boolean;
}

export interface Moment {
  /** Seconds from the start of the video. */
  time: number;
  rows: Map<number, Row>;
}

export class Store {
  targets: Named[] = [];
  readonly moments = new Map<number, Moment>();
  selected: number | null = null;
  private next = 0;

  /** Put a target's box into a frame, as a person draws it; null starts a target. */
  draw(id: number | null, frame: number, time: number, box: Box): number {
    const number = id ?? this.next++;
    if (id === null) {
      const color = found.colors[number % found.colors.length];
      this.targets.push({ id: number, name: `target ${number}`, named: false, color });
    }
    this.put(frame, time, { id: number, box, score: 1, state: "tracked" as State }, true);
    this.selected = number;
    return number;
  }

  put(frame: number, time: number, track: Track, key = false): void {
    const moment = this.moments.get(frame) ?? { time, rows: new Map<number, Row>() };
    moment.rows.set(track.id, { ...track, key });
    this.moments.set(frame, moment);
  }

  rows(frame: number): Row[] {
    return [...(this.moments.get(frame)?.rows.values() ?? [])];
  }

  row(id: number | null, frame: number): Row | undefined {
    return id === null ? undefined : this.moments.get(frame)?.rows.get(id);
  }

  target(id: number): Named | undefined {
    return this.targets.find((each) => each.id === id);
  }

  remove(id: number): void {
    this.targets = this.targets.filter((each) => each.id !== id);
    for (const moment of this.moments.values()) moment.rows.delete(id);
    if (this.selected === id) this.selected = null;
  }
}
