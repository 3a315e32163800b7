/** Floats with a wanted precision as Go writes them: from the exact value, halves to even. JavaScript rounds halves up. */
import { formatFloat, goExponent } from './format.js'

/** `%f`: this many digits behind the point. The sign is the caller's. */
export function fixedDigits(magnitude: number, precision: number): string {
  const digits = scaled(magnitude, precision).toString().padStart(precision + 1, '0')
  return precision === 0 ? digits : `${digits.slice(0, -precision)}.${digits.slice(-precision)}`
}

/** `%e`: one digit before the point, this many behind it. */
export function exponentDigits(magnitude: number, precision: number): string {
  const { digits, power } = leadingDigits(magnitude, precision + 1)
  return `${digits.slice(0, 1)}${precision === 0 ? '' : `.${digits.slice(1)}`}e${goExponent(power)}`
}

/** `%g`: this many digits altogether, without zeros at the end. */
export function shortDigits(magnitude: number, precision: number | undefined): string {
  if (precision === undefined || !Number.isFinite(magnitude)) return formatFloat(magnitude)
  const wanted = Math.max(precision, 1)
  const { digits, power } = leadingDigits(magnitude, wanted)
  if (power >= -4 && power < wanted) return trimZeros(fixedDigits(magnitude, wanted - 1 - power))
  return `${trimZeros(`${digits.slice(0, 1)}.${digits.slice(1)}`)}e${goExponent(power)}`
}

function leadingDigits(magnitude: number, count: number): { digits: string, power: number } {
  if (magnitude === 0) return { digits: '0'.repeat(count), power: 0 }
  let power = Number(magnitude.toExponential().split('e')[1])
  while (true) {
    const digits = scaled(magnitude, count - 1 - power).toString()
    if (digits.length === count) return { digits, power }
    power += digits.length - count
  }
}

/** magnitude * 10^places as the nearest integer, halves to even. */
function scaled(magnitude: number, places: number): bigint {
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, magnitude)
  const raw = bits.getBigUint64(0)
  const biased = Number(raw >> 52n)
  const fraction = raw & 0xf_ffff_ffff_ffffn
  const mantissa = biased === 0 ? fraction : fraction | 0x10_0000_0000_0000n
  const exponent = Math.max(biased, 1) - 1075

  const numerator = mantissa * 2n ** BigInt(Math.max(exponent, 0)) * 10n ** BigInt(Math.max(places, 0))
  const divisor = 2n ** BigInt(Math.max(-exponent, 0)) * 10n ** BigInt(Math.max(-places, 0))
  const whole = numerator / divisor
  const twice = (numerator % divisor) * 2n
  const up = twice > divisor || (twice === divisor && whole % 2n === 1n)
  return up ? whole + 1n : whole
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text
}
