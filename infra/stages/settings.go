package stages

// Settings are what a stage's file says. The comments state what a key does; what a
// value may be is in the tags, and what values may be together is in rules.go.
type Settings struct {
	// Production marks a stage with real customers. It must have what they rely on; see
	// the rules.
	Production bool `yaml:"production"`

	// Account and Region are where the stage is deployed, and nowhere else. A stage
	// without them goes where the credentials lead.
	Account string `yaml:"account" is:"account"`
	Region  string `yaml:"region" is:"region"`

	Payments Payments `yaml:"payments"`
	Mail     Mail     `yaml:"mail"`

	// Discovery is how services find each other.
	Discovery string  `yaml:"discovery" is:"discovery"`
	Network   Network `yaml:"network"`
	Domain    Domain  `yaml:"domain"`

	Throttle Throttle `yaml:"throttle"`
	SignIn   SignIn   `yaml:"signIn"`

	Logs Logs `yaml:"logs"`
	// RouteMetrics adds the gateway's metrics of each route, which are paid for as custom
	// metrics.
	RouteMetrics bool   `yaml:"routeMetrics"`
	Alarms       Alarms `yaml:"alarms"`
	Budget       Budget `yaml:"budget"`

	// Concurrency is how many batches of messages each consumer works on at a time. More
	// waits in its queue.
	Concurrency int `yaml:"concurrency" min:"2" max:"1000"`
	// CursorKey is the number of the key that signs the cursors of lists. The next number
	// is the next key.
	CursorKey int `yaml:"cursorKey" min:"1" max:"1000"`

	// Canary is how a new version of a service gets its traffic: none, all at once, or
	// one of CodeDeploy's ways for Lambda.
	Canary     string     `yaml:"canary" is:"canary"`
	Protection Protection `yaml:"protection"`

	// PermissionsBoundary is the ARN of a managed policy that bounds every role.
	PermissionsBoundary string `yaml:"permissionsBoundary" is:"policy"`
}

// Payments say who moves the money.
type Payments struct {
	Provider string `yaml:"provider" is:"payments"`
	// Secret is the ARN of the secret with Stripe's API key.
	Secret string `yaml:"secret" is:"secret"`
	// SandboxBecause is the reason why a production stage takes payments that move no
	// money.
	SandboxBecause string `yaml:"sandboxBecause" is:"text"`
}

// Mail says whether mail leaves, and from where.
type Mail struct {
	Provider string `yaml:"provider" is:"mail"`
	From     string `yaml:"from" is:"email"`  // its domain is verified in SES
	Admin    string `yaml:"admin" is:"email"` // receives mail to the shop itself
}

// Network is where the functions that call others live.
type Network struct {
	// Zones are two zones by id or by name; the account's first two where none are
	// named.
	Zones []string `yaml:"zones" is:"zone"`
	VPC   VPC      `yaml:"vpc"`
	TLS   TLS      `yaml:"tls"`
}

// VPC is a network that exists already. It must resolve names of private zones and reach
// DynamoDB, and Cloud Map where that is asked.
type VPC struct {
	ID      string   `yaml:"id" is:"vpc"`
	Subnets []string `yaml:"subnets" is:"subnet"`
}

// TLS encrypts the calls between services.
type TLS struct {
	Certificate string `yaml:"certificate" is:"certificate"` // of *.<domain>, publicly trusted
	Domain      string `yaml:"domain" is:"domain"`           // resolved inside the network only
}

// Domain is the public name of the API. With one, the gateway's own address is closed.
type Domain struct {
	Name        string `yaml:"name" is:"domain"`
	Certificate string `yaml:"certificate" is:"certificate"`
	HostedZone  string `yaml:"hostedZone" is:"hostedZone"` // gets the name's record; none: make it elsewhere
}

// Limit is a number of requests a second, and how many at once above it.
type Limit struct {
	Rate  int `yaml:"rate" min:"1" max:"10000"`
	Burst int `yaml:"burst" min:"1" max:"5000"`
}

// Throttle limits the requests at the gateway: all together, and routes by themselves.
type Throttle struct {
	Rate   int              `yaml:"rate" min:"1" max:"10000"`
	Burst  int              `yaml:"burst" min:"1" max:"5000"`
	Routes map[string]Limit `yaml:"routes" is:"route"`
}

// SignIn is how customers and admins prove who they are.
type SignIn struct {
	// Flow is password, which sends it to the user pool, or srp, which proves its
	// knowledge.
	Flow           string `yaml:"flow" is:"flow"`
	PasswordLength int    `yaml:"passwordLength" min:"8" max:"99"`
	// AdminTOTP withholds the group admin from users without a TOTP.
	AdminTOTP bool `yaml:"adminTotp"`
	// VerifyEmail leaves an address unverified until its owner has entered a code.
	VerifyEmail   bool `yaml:"verifyEmail"`
	AccessMinutes int  `yaml:"accessMinutes" min:"5" max:"1440"`
	RefreshDays   int  `yaml:"refreshDays" min:"1" max:"3650"`
}

// Logs are kept for a number of days. Flow and Balancer add those of the network and of
// the internal load balancer.
type Logs struct {
	Days     int  `yaml:"days" is:"retention"`
	Flow     bool `yaml:"flow"`
	Balancer bool `yaml:"balancer"`
}

// Alarms go to a topic of the stage, which sends them to e-mail addresses, or to a topic
// that exists already.
type Alarms struct {
	Emails []string `yaml:"emails" is:"email"`
	Topic  string   `yaml:"topic" is:"topic"`
}

// Budget is an amount of US dollars a month for the whole account.
type Budget struct {
	Monthly int      `yaml:"monthly" min:"1" max:"1000000"`
	Emails  []string `yaml:"emails" is:"email"`
}

// Protection keeps what a mistaken command would remove.
type Protection struct {
	Stacks bool `yaml:"stacks"` // from being deleted
	Data   bool `yaml:"data"`   // tables and user pool, from going with their stack
}

// Defaults are the settings of a file that says nothing but what it must.
func Defaults() Settings {
	return Settings{
		Discovery:   "loadbalancer",
		Throttle:    Throttle{Rate: 1000, Burst: 2000},
		SignIn:      SignIn{Flow: "password", PasswordLength: 8, AccessMinutes: 60, RefreshDays: 30},
		Logs:        Logs{Days: 30},
		Concurrency: 10, CursorKey: 1,
		Canary:     "none",
		Protection: Protection{Data: true},
	}
}
