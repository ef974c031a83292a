package profile

// file is the TOML as it is written; docs/profile.md explains every key, and a test holds that page to these tags. Values
// are of any type here: the checker knows which key of which row is wrong, and the TOML reader does not.
type file struct {
	Name      any `toml:"name"`
	Currency  any `toml:"currency"`
	Country   any `toml:"country"`
	TimeZone  any `toml:"time_zone"`
	Selection any `toml:"selection"`
	Force     any `toml:"force_online"`

	Merchant    merchant      `toml:"merchant"`
	Receipt     receiptTable  `toml:"receipt"`
	Terminal    terminalTable `toml:"terminal"`
	Transaction transactions  `toml:"transactions"`
	Offline     offline       `toml:"offline"`
	Deadlines   deadlines     `toml:"deadlines"`
	Settlement  settlement    `toml:"settlement"`
	Roles       roles         `toml:"roles"`
	Application []application `toml:"application"`
	EarlierSale []earlierSale `toml:"earlier_sale"`
	Exception   []exception   `toml:"exception"`
}

type merchant struct {
	Name     any `toml:"name"`
	Location any `toml:"location"`

	NameArabic     any `toml:"name_arabic"`
	LocationArabic any `toml:"location_arabic"`

	Category any `toml:"category"`
	Acquirer any `toml:"acquirer_id"`
}

type receiptTable struct {
	Language any `toml:"language"`
	Merchant any `toml:"merchant_language"`
	Digits   any `toml:"digits"`
	Proof    any `toml:"proof"`
	Copies   any `toml:"copies"`
}

type terminalTable struct {
	ID           any `toml:"id"`
	MerchantID   any `toml:"merchant_id"`
	Type         any `toml:"type"`
	Capabilities any `toml:"capabilities"`
	More         any `toml:"additional_capabilities"`
	IFDSerial    any `toml:"ifd_serial"`
	Input        any `toml:"card_data_input"`
	CVM          any `toml:"cardholder_verification"`
	ODA          any `toml:"offline_data_authentication"`
	CDAMode      any `toml:"cda_mode"`
	CAKeys       any `toml:"ca_keys"`
	Literal      any `toml:"literal_action_codes"`
	Without      any `toml:"without"`
	PINBypass    any `toml:"pin_bypass"`
	Fallback     any `toml:"fallback_after"`
	Languages    any `toml:"languages"`
	Referral     any `toml:"referral"`
}

type transactions struct {
	Kinds    any `toml:"kinds"`
	Messages any `toml:"sale_messages"`
	Tip      any `toml:"tip_percent"`
	Cashback any `toml:"cashback"`
	Minutes  any `toml:"same_card_minutes"`
	Same     any `toml:"same_card"`
}

type offline struct {
	Count     any            `toml:"count"`
	Sum       any            `toml:"sum"`
	Age       any            `toml:"age"`
	CardCount any            `toml:"card_count"`
	CardSum   any            `toml:"card_sum"`
	ParkAfter any            `toml:"park_after"`
	Deferred  *offlineLimits `toml:"deferred"`
}

type offlineLimits struct {
	Count     any `toml:"count"`
	Sum       any `toml:"sum"`
	Age       any `toml:"age"`
	CardCount any `toml:"card_count"`
	CardSum   any `toml:"card_sum"`
}

type deadlines struct {
	Card   any `toml:"card"`
	Answer any `toml:"answer"`
	PIN    any `toml:"pin"`
	Sign   any `toml:"signature"`
}

type settlement struct {
	At   any `toml:"at"`
	Most any `toml:"most"`
}

type application struct {
	AID          any     `toml:"aid"`
	Scheme       any     `toml:"scheme"`
	Enabled      any     `toml:"enabled"`
	Placeholder  any     `toml:"placeholder"`
	Partial      any     `toml:"partial_selection"`
	Capabilities any     `toml:"capabilities"`
	CVM          any     `toml:"cardholder_verification"`
	ODA          any     `toml:"offline_data_authentication"`
	PINRequired  any     `toml:"pin_required"`
	OnlineOnly   any     `toml:"online_only"`
	Version      any     `toml:"version"`
	TACDenial    any     `toml:"tac_denial"`
	TACOnline    any     `toml:"tac_online"`
	TACDefault   any     `toml:"tac_default"`
	FloorLimit   any     `toml:"floor_limit"`
	DDOL         any     `toml:"default_ddol"`
	TDOL         any     `toml:"default_tdol"`
	Random       *random `toml:"random_selection"`
}

type random struct {
	Threshold any `toml:"threshold"`
	Target    any `toml:"target_percent"`
	Maximum   any `toml:"maximum_percent"`
}

type earlierSale struct {
	PAN    any `toml:"pan"`
	PSN    any `toml:"psn"`
	Amount any `toml:"amount"`
}

type exception struct {
	PAN any `toml:"pan"`
	PSN any `toml:"psn"`
}
