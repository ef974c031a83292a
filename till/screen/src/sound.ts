// What is heard: a tone and, where it is switched on, a word. Both come beside what is shown, never in its place.

import { language } from "./i18n.ts";
import { sound, speech } from "./settings.ts";

let audio: AudioContext | null = null;

/** unlock lets tones be played from now on: browsers want a key or a touch first. */
export function unlock(): void {
  try {
    audio ??= new AudioContext();
    void audio.resume();
  } catch {
    // no sound on this machine: all is shown as well
  }
}

const tunes = {
  good: [[880, 0, 0.12], [1320, 0.13, 0.2]],
  bad: [[330, 0, 0.18], [247, 0.2, 0.3]],
  ask: [[660, 0, 0.12]],
  card: [[988, 0, 0.12], [988, 0.2, 0.12], [988, 0.4, 0.12]],
} as const;

/** play sounds a tune. */
export function play(tune: keyof typeof tunes): void {
  if (!sound.value || audio?.state !== "running") return;
  for (const [hertz, from, length] of tunes[tune]) {
    const at = audio.currentTime + from;
    const tone = audio.createOscillator();
    const gain = audio.createGain();
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(0.25, at + 0.01);
    gain.gain.linearRampToValueAtTime(0, at + length);
    tone.connect(gain).connect(audio.destination);
    tone.start(at);
    tone.stop(at + length);
  }
}

/** speak says a text aloud, in the language of the page. */
export function speak(text: string): void {
  if (!speech.value || !("speechSynthesis" in window)) return;
  const u = new SpeechSynthesisUtterance(text);
  u.lang = language.value === "ar" ? "ar" : "en";
  speechSynthesis.cancel();
  speechSynthesis.speak(u);
}
