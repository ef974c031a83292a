$ pos status
? 0
Terminal  TILL0001, TILLWAY TEST SHOP, KWD (kuwait), release test
CA keys   12, test
Kernel    contact 1.0.0, checksum 0123456789abcdef
State     Ready
Reader    NOT OK: , 
Host      NOT OK: , 
Queue     empty
Last      sale 1042, KWD 10.525, REVERSED: It is Reversed.
WARNING   roles are OPEN: anybody at this terminal sells without logging in (development only)
$ pos report kernel
? 0
            TILLWAY TEST SHOP
             Salmiya, Kuwait
MERCHANT                   KW0000000000001
TERMINAL                          TILL0001
------------------------------------------
                EMV KERNEL
DATE                            2000-01-01
TIME                              00:00:00
RELEASE                               test
KERNEL                             CONTACT
VERSION                              1.0.0
------------------------------------------
            CHECKSUM (SHA-256)
           0123 4567 89ab cdef
           0123 4567 89ab cdef
           0123 4567 89ab cdef
           0123 4567 89ab cdef
------------------------------------------
$ pos report kernel --format html --width 1
? 2
! pos: width 1: 24 to 96 columns
$ pos report kernel --json --format text
? 2
! {"error":"--json and --format text do not go together","exit":2}
$ pos report
? 0
Print a report of the terminal

Usage:
  pos report [flags]
  pos report [command]

Available Commands:
  kernel      Print version and checksum of the card kernel, as a receipt of its own

Flags:
  -h, --help   help for report

Global Flags:
      --json            print one JSON object, for programs
      --socket string   path of the daemon's socket

Use "pos report [command] --help" for more information about a command.
$ pos show 1042
? 0
Sale        1042
State       REVERSED
Amount      KWD 10.525
Happened    It is Reversed.
Do          Go on.
Started     2026-11-23 09:15:07
Card        VISA CREDIT 476173******0119
AID         A0000000031010
Entry       chip
Response    00
Auth code   A12345
STAN        000042
Invoice     000043
Batch       000007
Acquirer    nac
Reversal    Acknowledged since 2026-11-23 09:15:07
$ pos show 1
? 2
! pos: sale 1: no such sale. Look the number up in the journal, or on the receipt.
$ pos show x
? 2
! pos: "x" is no sale number: it is the number the receipt calls SALE, like 1042
$ pos show
? 2
! pos: pos show takes ID, and was given 0 (pos show --help shows how)
$ pos why 1042
? 0
Sale 1042 is REVERSED
It is Reversed. Go on.
The host answered 00

Steps
  09:15:07.000  sale GoOnline CardTalk to Sending +R
  09:15:07.000  sale CardAgrees FinishApproved to Reversed -R
  09:15:07.000  debt Accepted to Acknowledged
$ pos journal
? 0
    10  2026-11-23 09:15:07          start (release test)
    11  2026-11-23 09:15:07    1042  sale GoOnline CardTalk to Sending +R
    12  2026-11-23 09:15:07    1042  sale CardAgrees FinishApproved to Reversed -R
    13  2026-11-23 09:15:07    1042  debt Accepted to Acknowledged
$ pos journal --after 10 --limit 1
? 0
    11  2026-11-23 09:15:07    1042  sale GoOnline CardTalk to Sending +R
$ pos journal --json --after 11
? 0
{"rows":[{"seq":12,"time":"2026-11-23T09:15:07+03:00","kind":"sale","sale":1042,"from":"FinishApproved","event":"CardAgrees","to":"Reversed","duties":["-R"]},{"seq":13,"time":"2026-11-23T09:15:07+03:00","kind":"debt","sale":1042,"event":"Accepted","to":"Acknowledged"}],"next":13}
$ pos journal --limit 0
? 2
! pos: limit 0: 1 to 1000 rows
$ pos journal --after -5
? 2
! pos: after -5: a row's number, or 0 for the first rows
$ pos queue
? 0
     3  reversal of sale 1042, STAN 000042, Owed, sent 2 times  no answer
$ pos queue list --json
? 0
{"debts":[{"id":3,"sale":1042,"acquirer":"nac","kind":"reversal","stan":42,"state":"Owed","attempts":2,"not_before":"0001-01-01T00:00:00Z","reason":"no answer"}]}
$ pos queue send
? 0
Nothing waits.
$ pos queue empty
? 2
! pos: "empty" is no command of pos queue: pos queue --help shows what there is
$ pos cancel
? 0
Cancel asked for; the outcome is the sale's: pos show 1042
$ pos receipt 1042
? 0
            TILLWAY TEST SHOP
             Salmiya, Kuwait
MERCHANT                   KW0000000000001
TERMINAL                          TILL0001
------------------------------------------
            *** DUPLICATE ***
------------------------------------------
SALE                                  1042
DATE                            2026-11-23
TIME                              09:15:07

AMOUNT ASKED FOR                KWD 10.525
==========================================
                 REVERSED
               NOT CHARGED
==========================================
It is Reversed.
If your bank shows the amount as held, the
reversal releases it.
------------------------------------------
CARD                           VISA CREDIT
NUMBER                    ************0119
AID                         A0000000031010
ENTRY                                 CHIP
         CARDHOLDER NOT VERIFIED
AUTH CODE                           A12345
RESPONSE                                00
STAN                                000042
INVOICE                             000043
BATCH                               000007
------------------------------------------
              CUSTOMER COPY
         Please keep this receipt
$ pos receipt 1042 --copy merchant --width 32
? 0
       TILLWAY TEST SHOP
        Salmiya, Kuwait
MERCHANT         KW0000000000001
TERMINAL                TILL0001
--------------------------------
       *** DUPLICATE ***
--------------------------------
SALE                        1042
DATE                  2026-11-23
TIME                    09:15:07

AMOUNT ASKED FOR      KWD 10.525
================================
            REVERSED
          NOT CHARGED
================================
It is Reversed.
Go on.
--------------------------------
CARD                 VISA CREDIT
NUMBER          ************0119
AID               A0000000031010
ENTRY                       CHIP
    CARDHOLDER NOT VERIFIED
AUTH CODE                 A12345
RESPONSE                      00
STAN                      000042
INVOICE                   000043
BATCH                     000007
--------------------------------
         MERCHANT COPY
$ pos receipt 1042 --format png
? 2
! pos: format "png": this build draws text, html and json
$ pos receipt 1042 --copy bank
? 2
! pos: "bank" is no copy: there are customer and merchant
$ pos receipt 1042 --width 3
? 2
! pos: width 3: 24 to 96 columns
$ pos receipt 1042 --json --format text
? 2
! {"error":"--json and --format text do not go together","exit":2}
$ pos receipt 1042 --json
? 0
{"copy":"customer","duplicate":true,"merchant":{"name":"TILLWAY TEST SHOP","location":["Salmiya, Kuwait"]},"mid":"KW0000000000001","tid":"TILL0001","sale":1042,"type":"SALE","time":"2026-11-23T09:15:07+03:00","amount":{"minor":10525,"currency":"KWD"},"verdict":"REVERSED","charged":false,"statement":"NOT CHARGED","code":"of the test","reason":"It is Reversed.","advice":"If your bank shows the amount as held, the reversal releases it.","card":{"label":"VISA CREDIT","pan":"************0119","aid":"A0000000031010","entry":"CHIP","verification":"CARDHOLDER NOT VERIFIED","sign":false},"rc":"00","auth":"A12345","stan":"000042","invoice":"000043","batch":"000007"}
$ pos refund 1.000
? 2
! pos: "refund" is no command of pos: pos --help shows what there is
$ pos sale
? 2
! pos: pos sale takes AMOUNT, and was given 0 (pos sale --help shows how)
$ pos sale 1 2
? 2
! pos: pos sale takes AMOUNT, and was given 2 (pos sale --help shows how)
$ pos --nonsense
? 2
! pos: unknown flag: --nonsense (pos --help shows what there is)
$ pos show 1 --json
? 2
! {"error":"sale 1: no such sale","code":"no_such_sale","do":"Look the number up in the journal, or on the receipt.","exit":2}
