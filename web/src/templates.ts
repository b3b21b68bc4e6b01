// The templates of one target: the first, and a recent one that helps while the first fits badly. The
// counterpart of siamtrack.tracking.templates, and of `BoxDecoder.mixed`.
import { CONSTANTS, type RecentSettings } from "./settings.js";

/** How a target looked in one frame: its template window, and its size as shares of that. */
export interface Look {
  patch: Uint8Array;
  size: [number, number];
}

/** What a target is compared with. */
export class Templates {
  /** What to compare the next frame with. */
  kernel: Float32Array;
  private waiting: Look | null = null;
  private recent: Look | null = null;
  private sureFor = 0;
  private joined = false;
  private wantsLook = false;
  private wantsMix = false;

  constructor(
    private readonly settings: RecentSettings,
    private readonly first: Float32Array,
  ) {
    this.kernel = first;
  }

  /** Take in what was seen in a frame, and tell whether to `renew` what it is compared with. */
  saw(score: number, familiarity: number): boolean {
    const { below, sure, familiar, every, again } = this.settings;
    this.wantsLook = this.wantsMix = false;
    // Join: the first template alone no longer finds the target
    if (score < below && !this.joined && this.recent) this.joined = this.wantsMix = true;
    // Doubt: something may cover the target; the look that waits may show it already
    if (score < sure || familiarity < familiar - CONSTANTS.UNFAMILIAR) {
      this.waiting = null;
      this.sureFor = 0;
      return this.wantsMix;
    }
    this.sureFor += 1;
    // Leave: try the first template alone
    if (this.joined && this.sureFor >= again) {
      this.joined = false;
      this.kernel = this.first;
    }
    // Look: what waited is sure now, and the next one waits
    if (this.sureFor % every === 0 && familiarity >= familiar) {
      if (this.waiting) {
        this.recent = this.waiting;
        this.wantsMix = this.joined;
      }
      this.wantsLook = true;
    }
    return this.wantsLook || this.wantsMix;
  }

  /** Do what the last frame asks for: embed the recent look, or take another one. */
  async renew(
    channels: number,
    look: () => Look,
    embed: (look: Look) => Promise<Float32Array>,
  ): Promise<void> {
    if (this.wantsMix && this.recent) {
      const recent = await embed(this.recent);
      if (recent.every(Number.isFinite)) {
        this.kernel = mixed(this.first, recent, this.settings.share, channels);
      }
    }
    if (this.wantsLook) this.waiting = look();
    this.wantsLook = this.wantsMix = false;
  }
}

/** The mean of two kernels (T * T + 2, channels), whose first T * T rows stay as long as they were. */
function mixed(
  first: Float32Array,
  recent: Float32Array,
  share: number,
  channels: number,
): Float32Array {
  const joined = first.map((value, k) => (1 - share) * value + share * recent[k]);
  const length = (values: Float32Array, from: number): number =>
    Math.sqrt(values.subarray(from, from + channels).reduce((sum, value) => sum + value * value, 0));
  for (let from = 0; from < joined.length - 2 * channels; from += channels) {
    const wanted = (1 - share) * length(first, from) + share * length(recent, from);
    const factor = wanted / Math.max(length(joined, from), 1e-6);
    for (let k = from; k < from + channels; k++) joined[k] *= factor;
  }
  return joined;
}
