// A screenshot as a PNG with a palette: a third of the bytes, and no eye sees it. Takes what Chromium writes: 8 bits a
// channel, RGB or RGBA, not interlaced.
import { crc32, deflateSync, inflateSync } from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOURS = 256;
const KEPT_BITS = 0b11111100; // of each channel; a gradient has no need of more

function* chunksOf(png) {
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    yield [png.toString("latin1", at + 4, at + 8), png.subarray(at + 8, at + 8 + length)];
    at += length + 12;
  }
}

function chunk(name, content) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), content]);
  const made = Buffer.alloc(body.length + 8);
  made.writeUInt32BE(content.length);
  body.copy(made, 4);
  made.writeUInt32BE(crc32(body), body.length + 4);
  return made;
}

// The predictor of PNG's fourth filter (PNG specification, 9.4).
function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

// Undo the filters: the pixels, one row after the other.
function unfiltered(data, rowBytes, rows, pixelBytes) {
  const made = Buffer.alloc(rowBytes * rows);
  for (let row = 0; row < rows; row++) {
    const filter = data[row * (rowBytes + 1)];
    for (let x = 0; x < rowBytes; x++) {
      const at = row * rowBytes + x;
      const left = x < pixelBytes ? 0 : made[at - pixelBytes];
      const up = row === 0 ? 0 : made[at - rowBytes];
      const corner = row === 0 || x < pixelBytes ? 0 : made[at - rowBytes - pixelBytes];
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      made[at] = data[row * (rowBytes + 1) + 1 + x] + guess;
    }
  }
  return made;
}

function nearest(colour, palette) {
  let best = 0;
  let least = Infinity;
  for (const [index, each] of palette.entries()) {
    const off = [16, 8, 0].reduce((sum, bits) => sum + (((colour >> bits) & 255) - ((each >> bits) & 255)) ** 2, 0);
    if (off < least) [best, least] = [index, off];
  }
  return best;
}

export function smaller(png) {
  const parts = [...chunksOf(png)];
  const header = parts.find(([name]) => name === "IHDR")[1];
  const [width, height, pixelBytes] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9] === 6 ? 4 : 3];
  const data = inflateSync(Buffer.concat(parts.filter(([name]) => name === "IDAT").map(([, content]) => content)));
  const pixels = unfiltered(data, width * pixelBytes, height, pixelBytes);

  const counts = new Map();
  const colours = new Uint32Array(width * height);
  for (let pixel = 0; pixel < colours.length; pixel++) {
    const at = pixel * pixelBytes;
    const [red, green, blue] = [0, 1, 2].map((each) => pixels[at + each] & KEPT_BITS);
    colours[pixel] = (red << 16) | (green << 8) | blue;
    counts.set(colours[pixel], (counts.get(colours[pixel]) ?? 0) + 1);
  }
  const wanted = [...counts].sort((one, other) => other[1] - one[1] || one[0] - other[0]).map(([colour]) => colour);
  const palette = wanted.slice(0, COLOURS);
  const places = new Map(wanted.map((colour) => [colour, nearest(colour, palette)]));

  const rows = Buffer.alloc((width + 1) * height);
  for (let pixel = 0; pixel < colours.length; pixel++) {
    rows[pixel + Math.floor(pixel / width) + 1] = places.get(colours[pixel]);
  }
  // White is to stay white: the bits that were left out are the upper ones again.
  const whole = (byte) => byte | (byte >> 6);
  const shown = Buffer.from(palette.flatMap((each) => [each >> 16, (each >> 8) & 255, each & 255].map(whole)));
  const described = Buffer.from(header);
  described[9] = 3;
  return Buffer.concat([
    SIGNATURE,
    chunk("IHDR", described),
    chunk("PLTE", shown),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
