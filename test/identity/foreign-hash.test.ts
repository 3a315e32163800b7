import t from 'tap'

import { understandForeignHash, type UnderstoodHash } from '../../src/identity/foreign-hash.js'
import { createHasher } from '../../src/identity/password-hash.js'

const options = {
  memory: 1024, iterations: 1, parallelism: 1, salt_length: 16, key_length: 32, concurrency: 2, queue: 64, maxPasswordBytes: 1024,
}
const hasher = createHasher(options)

/** Made by other programs: what, the password, the hash. */
const vectors: readonly [from: string, password: string, hash: string][] = [
  ['crypt_blowfish, its tests', 'U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['crypt_blowfish, 2y', 'U*U', '$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ['crypt_blowfish, 2b', 'U*U*U', '$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a'],
  ['crypt_blowfish, the empty password', '', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy'],
  ['golang.org/x/crypto/bcrypt, by Kratos', 'test', '$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6'],
  ['pyca/bcrypt', 'Kühe, 牛', '$2b$06$f0GKaSXOiXHvV3XX.eTh9O4zfDJoIs3MG3OUt7dZ8frmKrJqy8cPi'],
  ['golang.org/x/crypto/scrypt, by Kratos', 'test', '$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE='],
  ['passlib, scrypt', 'Kühe, 牛', '$scrypt$ln=12,r=8,p=1$3ds7p5TynjMmJITwfk/pvQ$MaUAohmfhbNKSxodWfW454TATJsdvi/JAKv+lYShIyI'],
  ['golang.org/x/crypto/pbkdf2, by Kratos', 'test', '$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI'],
  ['the same with sha512', 'test', '$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc'],
  ['passlib, pbkdf2_sha1', 'Kühe, 牛', '$pbkdf2$5000$Y6z1HgPA2FuL8b5X6n0vJQ$1MRKPVqgkhMqXdtoejDJKaswEes'],
  ['passlib, pbkdf2_sha256', 'Kühe, 牛', '$pbkdf2-sha256$5000$AqCUMoaQsjYGgLCWUqpVCg$i4VUSCIh7Pb.z6gGDd2XHnz5Va48ZjRTW8WsB5wG9f0'],
  ['passlib, pbkdf2_sha512', 'Kühe, 牛', '$pbkdf2-sha512$5000$WMu5V4qxtpZyjjFmTCmFsA$MGR7L8e558Gm2uKitY/vEONiWAD/7X5baTYha2ZvEEzAaTm9JQp7kazAcDTVDsFlnOEMj2.q4HCftpuNfFL5Bg'],
  ['passlib, django_pbkdf2_sha256', 'Kühe, 牛', 'pbkdf2_sha256$5000$iir93z7SZGhg$vSkJoj6EJ8VH4sr8oXeD102aiWhXpCRpnJV3tyoVAeQ='],
  ['the argon2 reference, 2i of version 16', 'password', '$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ'],
  ['golang.org/x/crypto/argon2, 2i, by Kratos', 'test', '$argon2i$v=19$m=65536,t=3,p=4$kk51rW/vxIVCYn+EG4kTSg$NyT88uraJ6im6dyha/M5jhXvpqlEdlS/9fEm7ScMb8c'],
  ['golang.org/x/crypto/argon2, 2id, by Kratos', 'test', '$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw'],
]

t.test('hashes that other programs made verify, for their password alone, and are made anew at login', async t => {
  for (const [from, password, hash] of vectors) {
    t.equal(hasher.problemWith(hash), undefined, from)
    t.equal(await hasher.verify(hash, password), true, from)
    t.equal(await hasher.verify(hash, `${password}x`), false, from)
    t.equal(hasher.needsRehash(hash), true, from)
  }
})

t.test('RFC 7914 12: scrypt and PBKDF2 compute what the RFCs say', async t => {
  const base64 = (hex: string): string => Buffer.from(hex.replaceAll(' ', ''), 'hex').toString('base64')
  const scrypt = base64('fd ba be 1c 9d 34 72 00 78 56 e7 19 0d 01 e9 fe 7c 6a d7 cb c8 23 78 30 e7 73 76 63 4b 37 31 62 2e af 30 d9 2e 22 a3 88 6f f1 09 27 9d 98 30 da c7 27 af b9 4a 83 ee 6d 83 60 cb df a2 cc 06 40')
  t.equal(await hasher.verify(`$scrypt$ln=10,r=8,p=16$${Buffer.from('NaCl').toString('base64')}$${scrypt}`, 'password'), true)
  const pbkdf2 = base64('55 ac 04 6e 56 e3 08 9f ec 16 91 c2 25 44 b6 05 f9 41 85 21 6d de 04 65 e6 8b 9d 57 c2 0d ac bc 49 ca 9c cc f1 79 b6 45 99 16 64 b3 9d 77 ef 31 7c 71 b8 45 b1 e3 0b d5 09 11 20 41 d3 a1 97 83')
  t.equal(await hasher.verify(`$pbkdf2-sha256$i=1,l=64$${Buffer.from('salt').toString('base64')}$${pbkdf2}`, 'passwd'), true)
})

t.test('A7 bcrypt counts 72 bytes and repeats what is shorter: no more than that is taken for the same', async t => {
  const long = await bcryptOf('é'.repeat(36))
  t.equal(await hasher.verify(long, 'é'.repeat(36)), true)
  t.equal(await hasher.verify(long, `${'é'.repeat(36)} and what was never hashed`), true, 'as whoever made it did')
  t.equal(await hasher.verify(long, `${'é'.repeat(35)}e`), false)
  const short = await bcryptOf('p')
  t.equal(await hasher.verify(short, 'p'), true)
  for (const other of ['p\0p', 'p\0', '\0', '\0p']) t.equal(await hasher.verify(short, other), false, JSON.stringify(other))
})

t.test('D8 a hash that would cost minutes or gigabytes, or is none, is refused with the reason and without quoting it', async t => {
  const [salt, hash] = ['c29tZXNhbHRzb21lc2FsdA', 'GZJ2SpEu7nnuSRC7T5kmJSHUiNWRmLZMJTA8qRKgKwE']
  const refused: [hash: string, problem: RegExp][] = [
    ['', /no known format/], ['correct horse', /no known format/], ['$1$salt$qJH7.N4xYta3aEG/dfqo/0', /no known format/], ['$2x$05$x', /no known format/],
    ['$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', /cost of 31/], ['$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW', /cost of 3/],
    ['$2b$10$abcdefghijklmnopqrstuv', /not a complete bcrypt/], ['$2b$10$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n', /not a complete/],
    [`$scrypt$ln=30,r=8,p=1$${salt}$${hash}`, /cost too much/], [`$scrypt$ln=1073741824,r=8,p=1$${salt}$${hash}`, /cost too much/],
    [`$scrypt$ln=14,r=8,p=9999$${salt}$${hash}`, /cost too much/], [`$scrypt$ln=14,r=9999,p=1$${salt}$${hash}`, /cost too much/],
    [`$scrypt$ln=16385,r=8,p=1$${salt}$${hash}`, /does not have/], [`$scrypt$ln=0,r=8,p=1$${salt}$${hash}`, /does not have/],
    [`$scrypt$ln=14,r=0,p=1$${salt}$${hash}`, /does not have/], [`$scrypt$ln=14,r=8,p=1$${salt}$AAAA`, /bytes of hash/], [`$scrypt$ln=abc,r=8,p=1$${salt}$${hash}`, /not a complete/],
    [`$pbkdf2-sha256$i=99999999,l=32$${salt}$${hash}`, /too many/], [`$pbkdf2-sha256$i=0,l=32$${salt}$${hash}`, /no iterations/],
    [`$pbkdf2-md5$i=1000,l=32$${salt}$${hash}`, /not a complete/], [`$pbkdf2-sha256$i=1000,l=4$${salt}$AAAAAA`, /bytes of hash/],
    [`$argon2id$v=19$m=4194304,t=1,p=1$${salt}$${hash}`, /beyond all bounds/], [`$argon2d$v=19$m=1024,t=99999,p=1$${salt}$${hash}`, /beyond all bounds/],
    [`$argon2id$v=19$m=1024,t=1,p=1$${salt}`, /not a complete argon2/], [`$pbkdf2-sha256$i=1000$${'A'.repeat(600)}$${hash}`, /more than 512/],
  ]
  for (const [text, problem] of refused) {
    t.match(hasher.problemWith(text), problem, text.slice(0, 40))
    if (text.length > 20) t.notOk(hasher.problemWith(text)?.includes(text.slice(-20)), 'nothing of it is said')
    await t.rejects(hasher.verify(text, 'password'), { code: 'internal_error' }, text.slice(0, 40))
  }
})

t.test('what is just within the bounds is computed', async t => {
  const salt = 'c29tZXNhbHRzb21lc2FsdA'
  const hash = 'GZJ2SpEu7nnuSRC7T5kmJSHUiNWRmLZMJTA8qRKgKwE'
  for (const text of [`$scrypt$ln=18,r=8,p=1$${salt}$${hash}`, `$scrypt$ln=1,r=1,p=1$${salt}$${hash}`, `$pbkdf2-sha256$i=1,l=32$${salt}$${hash}`]) {
    t.equal(await hasher.verify(text, 'password'), false, text)
  }
})

t.test('A2 with a decoy everybody costs the same: nobody, those who were imported, and those who were not', async t => {
  const decoy = '$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'
  const busy = createHasher({ ...options, decoy })
  const native = await busy.hash('password')
  t.equal(await busy.verify(native, 'password'), true)
  t.equal(await busy.verify(native, 'U*U'), false, 'the decoy is nobody\'s password')
  t.equal(await busy.verify(undefined, 'U*U'), false)
  t.equal(await busy.verify(decoy, 'U*U'), true)
  t.throws(() => createHasher({ ...options, decoy: '$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' }), /hashers.imported.decoy has a cost of 31/)
})

t.test('A2 an imported hash takes as long for a wrong password as for the right one', async t => {
  const understood = understandForeignHash(await bcryptOf('right', 8)) as UnderstoodHash
  const [right, wrong, zero]: number[][] = [[], [], []]
  for (let round = 0; round < 15; round++) {
    for (const [times, password] of [[right, 'right'], [wrong, 'wrong'], [zero, 'wr\0ng']] as const) {
      const start = process.cpuUsage()
      await understood.verify(Buffer.from(password))
      const { user } = process.cpuUsage(start)
      times?.push(user)
    }
  }
  const median = (times: number[] = []): number => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] as number
  for (const times of [wrong, zero]) t.ok(Math.abs(median(times) / median(right) - 1) < 0.25, `${median(times)} ${median(right)}`)
})

async function bcryptOf(password: string, cost = 5): Promise<string> {
  const { default: bcrypt } = await import('bcrypt')
  return bcrypt.hash(Buffer.from(password), cost)
}
