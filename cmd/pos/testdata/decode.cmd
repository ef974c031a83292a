$ pos decode tlv 6F168407A0000000031010A50B50095649534120544553549000
? 0
6F     File Control Information (FCI) Template [22]
  84     Dedicated File (DF) Name [b, 7] A0000000031010
  A5     File Control Information (FCI) Proprietary Template [11]
    50     Application Label [ans, 9] 564953412054455354 "VISA TEST"
90     Issuer Public Key Certificate [b, 0]
$ pos decode tlv 70 26 5A08 4761739001010119 5713 4761739001010119D28122011143812300000F 5F2003412F42
? 2
! pos: tag 70 at byte 0 wants 38 bytes, 37 are there: malformed BER-TLV
$ pos decode tlv --clear 5A08476173900101011957134761739001010119D28122011143812300000F
? 0
5A     Application Primary Account Number (PAN) [cn, 8] 4761739001010119 "4761739001010119"
57     Track 2 Equivalent Data [b, 19] 4761739001010119D28122011143812300000F
$ pos decode tlv --json 5A084761739001010119950580000080008C069F02065F2A02
? 0
{"objects":[{"tag":"5A","name":"Application Primary Account Number (PAN)","format":"cn","length":8,"value":"476173******0119","secret":true},{"tag":"95","name":"Terminal Verification Results","format":"b","length":5,"value":"8000008000","meaning":["Offline data authentication was not performed","Transaction exceeds floor limit"]},{"tag":"8C","name":"Card Risk Management Data Object List 1 (CDOL1)","format":"b","length":6,"value":"9F02065F2A02","meaning":["9F02 Amount, Authorised (Numeric), 6 bytes","5F2A Transaction Currency Code, 2 bytes"]}]}
$ pos decode tlv -
< 9F02 06 000000010525
? 0
9F02   Amount, Authorised (Numeric) [n, 6] 000000010525
$ pos decode tlv 5A09476173
? 2
! pos: tag 5A at byte 0 wants 9 bytes, 3 are there: malformed BER-TLV
$ pos decode tlv 70FF
? 2
! pos: tag 70 at byte 0: length field: malformed BER-TLV
$ pos decode tlv 4761739001010119X
? 2
! pos: that is not hex: 17 characters, of which every one must be 0 to 9 or A to F, and their number even
$ pos decode tlv
? 2
! pos: pos decode tlv takes HEX, or - to read it from standard input
$ pos decode tvr 8000008040
? 0
Terminal Verification Results (95) 8000008040
  Offline data authentication was not performed
  Transaction exceeds floor limit
  Issuer authentication failed
$ pos decode tvr --json 0000000000
? 0
{"name":"Terminal Verification Results (95)","value":"0000000000","bits":[]}
$ pos decode tvr 80
? 2
! pos: the Terminal Verification Results (95) has 5 bytes, not 1
$ pos decode tsi E800
? 0
Transaction Status Information (9B) E800
  Offline data authentication was performed
  Cardholder verification was performed
  Card risk management was performed
  Terminal risk management was performed
$ pos decode aip 1C00
? 0
Application Interchange Profile (82) 1C00
  Cardholder verification is supported
  Terminal risk management is to be performed
  Issuer authentication is supported
$ pos decode cvmresults 1F0302
? 0
CVM Results (9F34) 1F0302
  Method: No CVM required
  Condition: if the terminal supports the method
  Result: successful
$ pos decode cvmresults 3F0001
? 0
CVM Results (9F34) 3F0001
  Method: none was performed
  Condition: 00
  Result: failed
$ pos decode cvmresults --json 440300
? 0
{"name":"CVM Results (9F34)","value":"440300","bits":["Method: Enciphered PIN verification performed by ICC","Condition: if the terminal supports the method","Result: unknown"]}
$ pos decode cvmresults 1F03
? 2
! pos: the CVM Results (9F34) has 3 bytes, not 2
$ pos decode cvmlist 000003E8000007D0 4103 1E06 4209 1F00 0F0A
? 0
CVM List (8E) 000003E8000007D041031E0642091F000F0A
  X 1000, Y 2000, in minor units of the application's currency
  Plaintext PIN verification performed by ICC, if the terminal supports the method; if it is unsuccessful, the next rule is applied
  Signature, if in the application's currency and under X; if it is unsuccessful, verification fails
  Enciphered PIN verified online, if in the application's currency and over Y; if it is unsuccessful, the next rule is applied
  No CVM required, always; if it is unsuccessful, verification fails
  a method that this terminal does not know (0F), a condition that this terminal does not know (0A); if it is unsuccessful, verification fails
$ pos decode cvmlist 0000
? 0
CVM List (8E) 0000
  it ends within the amounts X and Y
$ pos decode terminal-type 22
? 0
Terminal Type (9F35) 22
  Operated by a merchant
  Attended
  Offline with online capability
$ pos decode terminal-type 34
? 0
Terminal Type (9F35) 34
  Operated by the cardholder
  Unattended
  Online only
$ pos decode terminal-type 40
? 0
Terminal Type (9F35) 40
  no terminal type of the books
$ pos decode auc FF80
? 0
Application Usage Control (9F07) FF80
  Valid for domestic cash transactions
  Valid for international cash transactions
  Valid for domestic goods
  Valid for international goods
  Valid for domestic services
  Valid for international services
  Valid at ATMs
  Valid at terminals other than ATMs
  Domestic cashback allowed
$ pos decode capabilities 20F8C8
? 0
Terminal Capabilities (9F33) 20F8C8
  IC with contacts
  Plaintext PIN for ICC verification
  Enciphered PIN for online verification
  Signature (paper)
  Enciphered PIN for offline verification
  No CVM Required
  SDA
  DDA
  CDA
$ pos decode additional-capabilities F000F0F001
? 0
Additional Terminal Capabilities (9F40) F000F0F001
  Cash
  Goods
  Services
  Cashback
  Numeric keys
  Alphabetic and special characters keys
  Command keys
  Function keys
  Print, attendant
  Print, cardholder
  Display, attendant
  Display, cardholder
  Code table 1
$ pos decode cid 80
? 0
Cryptogram Information Data (9F27) 80
  ARQC
$ pos decode dol 9F02069F03069F1A0295055F2A029A039C019F3704
? 0
9F02 Amount, Authorised (Numeric), 6 bytes
9F03 Amount, Other (Numeric), 6 bytes
9F1A Terminal Country Code, 2 bytes
95 Terminal Verification Results, 5 bytes
5F2A Transaction Currency Code, 2 bytes
9A Transaction Date, 3 bytes
9C Transaction Type, 1 bytes
9F37 Unpredictable Number, 4 bytes
29 bytes in all
$ pos decode dol --json 9F0206
? 0
{"bytes":6,"entries":[{"tag":"9F02","name":"Amount, Authorised (Numeric)","length":6}]}
$ pos decode dol 9F02
? 2
! pos: data object list: tag 9F02 without a length: malformed BER-TLV
$ pos decode atr 3B68000054494C4C57415930
? 0
Protocol T=0, speed 11, guard time 0, historical bytes 54494C4C57415930
An EMV terminal accepts it after a cold reset
$ pos decode atr --json 3BE800008131FE4554494C4C5741593180
? 0
{"protocol":1,"speed":"11","guard_time":0,"historical":"54494C4C57415931","emv":true}
$ pos decode atr 3B
? 2
! pos: malformed answer to reset: 1 bytes
$ pos decode apdu 00A404000E315041592E5359532E444446303100
? 0
SELECT  CLA 00 INS A4 P1 04 P2 00 Lc 14 Le 256
  data 315041592E5359532E4444463031
$ pos decode apdu 80AE80001D000000001000000000000000041480000080000414261123008561 0E4000
? 0
GENERATE APPLICATION CRYPTOGRAM  CLA 80 INS AE P1 80 P2 00 Lc 29 Le 256
  data 0000000010000000000000000414800000800004142611230085610E40
$ pos decode apdu 00200080082412345FFFFFFFFF
? 0
VERIFY  CLA 00 INS 20 P1 00 P2 80 Lc 8
  data ****************
$ pos decode apdu --clear 00200080082412345FFFFFFFFF
? 0
VERIFY  CLA 00 INS 20 P1 00 P2 80 Lc 8
  data 2412345FFFFFFFFF
$ pos decode apdu --json 00B2010C00
? 0
{"name":"READ RECORD","cla":"00","ins":"B2","p1":"01","p2":"0C","le":256}
$ pos decode apdu --response 700A5A0847617390010101199000
? 0
9000: done
  70     READ RECORD Response Message Template [10]
    5A     Application Primary Account Number (PAN) [cn, 8] 476173******0119
$ pos decode apdu --response 6A82
? 0
card answered 6A82: file or application not found
$ pos decode apdu 00A40400FF00
? 2
! pos: Lc says 255 bytes of data, and 1 bytes follow it
$ pos decode track 4761739001010119D28122011143812300000F
? 0
PAN 476173******0119
Expiry (YYMM) ****
Service code ***
Discretionary data *************
$ pos decode track --clear ';4761739001010119=28122011143812300000?'
? 0
PAN 4761739001010119
Expiry (YYMM) 2812
Service code 201
  international interchange, chip to be used where feasible
  normal authorisation
  no restrictions
Discretionary data 1143812300000
$ pos decode track --json 4761739001010119D28122011143812300000F
? 0
{"pan":"476173******0119","expiry":"****","service_code":"***","discretionary":"*************","check_digit":true}
$ pos decode track --clear '%B4266841088889999^BUSH JR/GEORGE W.MR^0809101100001100000000046000000?!;4266841088889999=080910110000046?0'
? 0
PAN 4266841088889999
Name BUSH JR/GEORGE W.MR
Expiry (YYMM) 0809
Service code 101
  international interchange
  normal authorisation
  no restrictions
Discretionary data 10000046
The account number's check digit is wrong
$ pos decode track '%B4266841088889999^BUSH JR/GEORGE W.MR^0809101100001100000000046000000?!'
? 0
PAN 426684******9999
Name *******************
Expiry (YYMM) ****
Service code ***
Discretionary data ************************
The account number's check digit is wrong
$ pos decode track ';4266841088889999=080910110000046?1'
? 2
! pos: track 2: check character of the track is wrong: swipe again
$ pos decode track '%B4266841088889999^BUSH?'
? 2
! pos: track 1: not a track of a payment card: it has no two separators
$ pos decode track ';47617390?'
? 2
! pos: track 2: not a track of a payment card: it has no separator
$ pos decode nonsense 00
? 2
! pos: "nonsense" is no command of pos decode: pos decode --help shows what there is
