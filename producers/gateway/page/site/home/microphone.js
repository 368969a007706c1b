// The microphone: records into a file, and measures how loud it is.

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const ENDINGS = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" };

/** Return why this page cannot record at all: "insecure", "unsupported", or null. */
export function whyNot() {
  if (!isSecureContext) return "insecure";
  return navigator.mediaDevices?.getUserMedia && window.MediaRecorder ? null : "unsupported";
}

/** Return the word of a failure of `open`: "refused", "missing" or "failed". */
export function problemOf(error) {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "refused";
  return error.name === "NotFoundError" ? "missing" : "failed";
}

/** Begin to record. Returns {level(), stop()}: the loudness from 0 to 1, and a promise of {blob, ending}. */
export async function open() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: false, noiseSuppression: true } });
  const type = TYPES.find(each => MediaRecorder.isTypeSupported(each));
  const recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
  const sound = new AudioContext();
  const analyser = new AnalyserNode(sound, { fftSize: 1024 });
  const source = sound.createMediaStreamSource(stream);
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const parts = [];
  recorder.addEventListener("dataavailable", event => parts.push(event.data));
  recorder.start(1000);
  const close = () => {
    stream.getTracks().forEach(track => track.stop());
    sound.close();
  };
  return {
    level() {
      analyser.getFloatTimeDomainData(samples);
      const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
      return Math.min(1, Math.max(0, 1 + (10 * Math.log10(power + 1e-10)) / 60)); // from -60 dB to full scale
    },
    stop: () => new Promise(resolve => {
      recorder.addEventListener("stop", () => {
        close();
        const blob = new Blob(parts, { type: recorder.mimeType });
        resolve({ blob, ending: ENDINGS[recorder.mimeType.split(";")[0]] ?? "webm" });
      });
      recorder.stop();
    }),
  };
}
