-- A wholesale supplier: warehouses, ten districts each, their customers and the customers' orders. Tables and columns
-- carry the names that the TPC-C specification gives them, so that what is known of that workload can be compared with
-- what is found here; the definitions and the data are this project's own. Keys and foreign keys are in keys.sql, since
-- a million rows load faster without them.

CREATE TABLE warehouse (
    w_id        integer NOT NULL,
    w_name      varchar(10) NOT NULL,
    w_street_1  varchar(20) NOT NULL,
    w_street_2  varchar(20),
    w_city      varchar(20) NOT NULL,
    w_state     char(2) NOT NULL,
    w_zip       char(9) NOT NULL,
    w_tax       numeric(4,4) NOT NULL DEFAULT 0 CHECK (w_tax BETWEEN 0 AND 0.2),
    w_ytd       numeric(12,2) NOT NULL DEFAULT 0
);
COMMENT ON TABLE warehouse IS 'Where goods are stored; every order is taken on behalf of one warehouse';
COMMENT ON COLUMN warehouse.w_ytd IS 'Payments received this year';

CREATE TABLE district (
    d_w_id      integer NOT NULL,
    d_id        smallint NOT NULL CHECK (d_id BETWEEN 1 AND 10),
    d_name      varchar(10) NOT NULL,
    d_street_1  varchar(20) NOT NULL,
    d_street_2  varchar(20),
    d_city      varchar(20) NOT NULL,
    d_state     char(2) NOT NULL,
    d_zip       char(9) NOT NULL,
    d_tax       numeric(4,4) NOT NULL DEFAULT 0,
    d_ytd       numeric(12,2) NOT NULL DEFAULT 0,
    d_next_o_id integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE district IS 'Ten sales districts are served by each warehouse';
COMMENT ON COLUMN district.d_next_o_id IS 'Number of the next order: orders count up within a district';

CREATE TABLE customer (
    c_w_id         integer NOT NULL,
    c_d_id         smallint NOT NULL,
    c_id           integer NOT NULL,
    c_first        varchar(16) NOT NULL,
    c_middle       char(2) NOT NULL DEFAULT 'OE',
    c_last         varchar(16) NOT NULL,
    c_street_1     varchar(20) NOT NULL,
    c_street_2     varchar(20),
    c_city         varchar(20) NOT NULL,
    c_state        char(2) NOT NULL,
    c_zip          char(9) NOT NULL,
    c_phone        char(16) NOT NULL,
    c_since        timestamptz NOT NULL DEFAULT now(),
    c_credit       char(2) NOT NULL DEFAULT 'GC' CHECK (c_credit IN ('GC', 'BC')),
    c_credit_lim   numeric(12,2) NOT NULL DEFAULT 50000,
    c_discount     numeric(4,4) NOT NULL DEFAULT 0,
    c_balance      numeric(12,2) NOT NULL DEFAULT 0,
    c_ytd_payment  numeric(12,2) NOT NULL DEFAULT 0,
    c_payment_cnt  integer NOT NULL DEFAULT 0,
    c_delivery_cnt integer NOT NULL DEFAULT 0,
    c_data         varchar(500) NOT NULL DEFAULT ''
);
COMMENT ON TABLE customer IS 'Customers of a district; six in ten name themselves by last name only';
COMMENT ON COLUMN customer.c_credit IS 'GC: good credit, BC: bad credit';

CREATE TABLE history (
    h_c_id   integer NOT NULL,
    h_c_d_id smallint NOT NULL,
    h_c_w_id integer NOT NULL,
    h_d_id   smallint NOT NULL,
    h_w_id   integer NOT NULL,
    h_date   timestamptz NOT NULL DEFAULT now(),
    h_amount numeric(6,2) NOT NULL,
    h_data   varchar(24) NOT NULL DEFAULT ''
);
COMMENT ON TABLE history IS 'Payments as they came in; append only, without a key';

CREATE TABLE orders (
    o_w_id       integer NOT NULL,
    o_d_id       smallint NOT NULL,
    o_id         integer NOT NULL,
    o_c_id       integer NOT NULL,
    o_entry_d    timestamptz NOT NULL DEFAULT now(),
    o_carrier_id smallint,
    o_ol_cnt     smallint NOT NULL CHECK (o_ol_cnt BETWEEN 5 AND 15),
    o_all_local  boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE orders IS 'One row for each order';
COMMENT ON COLUMN orders.o_carrier_id IS 'Null until the order is delivered';

CREATE TABLE new_order (
    no_w_id integer NOT NULL,
    no_d_id smallint NOT NULL,
    no_o_id integer NOT NULL
);
COMMENT ON TABLE new_order IS 'Orders that wait for delivery: a queue for each district';

CREATE TABLE item (
    i_id    integer NOT NULL,
    i_im_id integer NOT NULL,
    i_name  varchar(24) NOT NULL,
    i_price numeric(5,2) NOT NULL CHECK (i_price > 0),
    i_data  varchar(50) NOT NULL DEFAULT ''
);
COMMENT ON TABLE item IS 'The catalogue, the same for all warehouses; read by every order and never written';

CREATE TABLE stock (
    s_w_id       integer NOT NULL,
    s_i_id       integer NOT NULL,
    s_quantity   integer NOT NULL,
    s_dist_01    char(24) NOT NULL,
    s_dist_02    char(24) NOT NULL,
    s_dist_03    char(24) NOT NULL,
    s_dist_04    char(24) NOT NULL,
    s_dist_05    char(24) NOT NULL,
    s_dist_06    char(24) NOT NULL,
    s_dist_07    char(24) NOT NULL,
    s_dist_08    char(24) NOT NULL,
    s_dist_09    char(24) NOT NULL,
    s_dist_10    char(24) NOT NULL,
    s_ytd        integer NOT NULL DEFAULT 0,
    s_order_cnt  integer NOT NULL DEFAULT 0,
    s_remote_cnt integer NOT NULL DEFAULT 0,
    s_data       varchar(50) NOT NULL DEFAULT ''
);
COMMENT ON TABLE stock IS 'How much of an item lies in a warehouse';

CREATE TABLE order_line (
    ol_w_id        integer NOT NULL,
    ol_d_id        smallint NOT NULL,
    ol_o_id        integer NOT NULL,
    ol_number      smallint NOT NULL,
    ol_i_id        integer NOT NULL,
    ol_supply_w_id integer NOT NULL,
    ol_delivery_d  timestamptz,
    ol_quantity    smallint NOT NULL DEFAULT 5 CHECK (ol_quantity > 0),
    ol_amount      numeric(6,2) NOT NULL DEFAULT 0,
    ol_dist_info   char(24) NOT NULL DEFAULT ''
);
COMMENT ON TABLE order_line IS 'The lines of the orders, ten each on average; the largest table';
COMMENT ON COLUMN order_line.ol_supply_w_id IS 'The warehouse that sends the goods; one line in a hundred is not the order''s own';
COMMENT ON COLUMN order_line.ol_delivery_d IS 'Null until the order is delivered';
