package gateway

// Why is why a request is refused without asking; it is the code of the answer, too.
type Why string

// Why a request is refused.
const (
	CredentialsAmbiguous Why = "credentials_ambiguous"
	OriginNotAllowed     Why = "origin_not_allowed"
	BodyTooLarge         Why = "body_too_large"
	BodyUnreadable       Why = "body_unreadable"
)

// Refusal is the error of a request that is refused without asking.
type Refusal struct{ Why Why }

func refusal(why Why) error { return &Refusal{why} }

// Error is constant for each reason.
func (r *Refusal) Error() string { return "gateway: the request is refused: " + string(r.Why) }
