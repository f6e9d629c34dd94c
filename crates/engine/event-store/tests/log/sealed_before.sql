-- What a release before V19 recorded: two commands of one member, whose values are sealed each by itself.
select append_batch(
    array['test', 'test'], array['a', 'b'], array['1', '2']::bytea[], array['{}', '{}'], array[2, 3], array[1, 1, 2],
    array['member', 'member', 'member'],
    array['00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000011']::uuid[],
    array[1, 2, 3], array['SignedUp', 'SignedUp', 'SignedUp'], array['1', '1', '1'],
    array[
        '{"who":[{"name":{"$sealed":"fRKaeIvzcylfLGBdUkPtSTRBT2FQkakPRCu12RvYGe9txmA1MN5E1IzM9g","$key":"f2eaae46-0bb4-4080-9573-f07375bee83c"},"phone":{"$sealed":"zl/Sqdc0hUbZuTHSFmgv4lyrPoiUUTLERCrl/YWTW1/tBCjXcLqoGEqh/O0","$key":"f2eaae46-0bb4-4080-9573-f07375bee83c"}}],"count":1}',
        '{"note":{"$sealed":"Ky/3uYgtD34NjRoFw3H20DbVFZFrF60dD9NvpeT3gpFIIoSYu9g5bdVJ727n0C2wexY","$key":"f1c19618-f115-42a8-9f21-26d7917d90db"},"again":{"$sealed":"sFPpWEzwbwm0qkWUpOzOFTPZP0L/3V21OwKUfRIrGV6ZrA","$key":"f2eaae46-0bb4-4080-9573-f07375bee83c"}}',
        '{"who":[{"name":{"$sealed":"vLAu5xAy8pAFudP9Zq2wlc4Nwi9NQaODNT5ntbB5MUhEzRR/TPM/o4w","$key":"fb40e407-7fcd-4f5f-a13a-41abf1944720"}}],"count":2}'
    ],
    array['{}', '{}', '{}'],
    null, null, null, null, null, null, null,
    array[1, 1, 2], array['member', 'member', 'member'],
    array['00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000011']::uuid[],
    array['f2eaae46-0bb4-4080-9573-f07375bee83c', 'f1c19618-f115-42a8-9f21-26d7917d90db', 'fb40e407-7fcd-4f5f-a13a-41abf1944720']::uuid[],
    array['00000000-0000-0000-0000-000000000022', '00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000022']::uuid[],
    array['old', 'old', 'old'],
    array[
        '\xa6347979e2e65b6e10ef1360660187a68f6bcfca4f8148f110050c48a378c671162cf9e2f90910b6776814688b8d0388798645d8620775dd3c368f21',
        '\x87c39aac1ce83c855da44d7e642bbde00f9e752052bc380d48fecd98dbe98f889492565379c8b0a27027c3420db72258b2200b9ee3a65d312a3d310f',
        '\xdf495076c1032755dbd5ef3ce285b5305639604c520ac6515534355668783fd8a44c4bf77d223ece48b18b150b1795e31218281a5d034d542a2ca3eb'
    ]::bytea[],
    array[null, null]::bytea[])
